"""The architectures a reader of the field will ask for, compared under one protocol."""

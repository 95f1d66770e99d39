"""Coverage-guided fuzz runs over what reads bytes from elsewhere: `make fuzz-profiles`, `make fuzz-inbound`.

A group of targets is a module with `TARGETS` and, for each, `target`, `seeds`, `title`, `longest` and `weight`;
`JSON_TARGETS` are those whose inputs hold JSON, `COVERED` the files whose coverage is reported.
"""

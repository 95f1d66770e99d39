"""From bytes in the air to samples."""

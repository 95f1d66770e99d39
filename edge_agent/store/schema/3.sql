-- Athletes are called by pseudonyms on the wire, made with a secret that never leaves the device.
ALTER TABLE device ADD COLUMN pseudonym_key BLOB;

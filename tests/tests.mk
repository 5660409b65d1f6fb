# Unit tests and fuzzers: pure files compiled for the host.

module keywright.example/tests/interop/path

go 1.24.0

require golang.org/x/crypto v0.36.0

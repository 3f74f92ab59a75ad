"""One method whose settings switch on the parts of the others."""

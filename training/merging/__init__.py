"""Training of the cost by which regions merge: see `fit`."""

"""What tests share: folders, fakes with an interface, vectors, oracles."""

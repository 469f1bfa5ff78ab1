"""Our own dialect: what neither vendor's interface has."""

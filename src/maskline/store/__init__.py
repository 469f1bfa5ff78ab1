"""Tables, statements, sealing: the one package that speaks SQL."""

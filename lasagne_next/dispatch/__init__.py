"""How the operations run on each backend; imported when a backend is used."""

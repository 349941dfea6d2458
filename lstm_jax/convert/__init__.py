"""Parameters from and to other frameworks and files, and cells as programs that run without this package."""

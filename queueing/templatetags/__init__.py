"""Tags for templates of the admin, whose start page is made by Django."""

"""The formats of dates and times, instead of those of a language."""

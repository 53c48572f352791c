"""What a tag must be before the package it names is published."""

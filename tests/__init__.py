"""Tests; a package, since a library that ships a package of this name would otherwise take its place."""

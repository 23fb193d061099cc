"""Planted and sound models trained on demand: does this installation find what it should?"""

"""Planted and sound models made on the spot: does this installation find what it should?"""

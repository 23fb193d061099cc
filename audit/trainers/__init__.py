"""What makes a model from kept samples: the recipe, a function of the user's, or a trainer of a library.

Imports training, engines and data; population imports it.
"""

"""The imperative shell: recipes, training, replicas, the command line."""

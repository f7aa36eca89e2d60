"""A training plan and images -> a trained model and what it measured."""

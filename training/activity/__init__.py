"""The activity model: a compact CNN on acceleration from chest or wrist."""

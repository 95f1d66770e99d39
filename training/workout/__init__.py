"""The workout model: heart rate 10, 30 and 60 s ahead, as quantiles of the change from now."""

"""The recovery model: heart rate one and two minutes after an effort."""

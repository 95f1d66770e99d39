"""From samples to the input of a model; numpy alone, no IO and no clock."""

"""How good the forecast of demand is, on made-up gyms and on real counts by the hour."""

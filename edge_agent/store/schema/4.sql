-- Seconds hold what treadmills, foot pods and power meters measure.
ALTER TABLE second ADD COLUMN speed_mps REAL;
ALTER TABLE second ADD COLUMN cadence_rpm REAL;
ALTER TABLE second ADD COLUMN power_w REAL;
ALTER TABLE second ADD COLUMN altitude_m REAL;

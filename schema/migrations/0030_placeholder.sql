-- Not ours: stands for the migration of another branch.
SELECT 1;

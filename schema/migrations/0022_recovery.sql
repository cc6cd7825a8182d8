-- Answers after an outage by themselves (docs/RECEPTION.md, recovery): the engine finds the tenants that have turns
-- without a model by skipping through this index, and each one's conversations in it. The state is the tenant's job of
-- kind `recovery`.
CREATE INDEX turns_without_model_of ON turns (tenant_id, finished_at)
    WHERE outcome IN ('fallback', 'degraded', 'budget_spent');

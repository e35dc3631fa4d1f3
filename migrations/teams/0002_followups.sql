-- A question to the task's user, until it is answered; and a blocker that the lead is told of, once a task.
ALTER TABLE teams.tasks
  ADD COLUMN followup_message text,
  ADD COLUMN followup_asked_at timestamptz,
  ADD COLUMN followup_at timestamptz, -- of the next reminder; null when there is none to come
  ADD COLUMN followup_count integer NOT NULL DEFAULT 0,
  ADD COLUMN followup_max integer NOT NULL DEFAULT 0,
  ADD COLUMN escalation_run_id uuid,
  ADD COLUMN escalated_at timestamptz;
CREATE INDEX tasks_followup ON teams.tasks (tenant_id, followup_at) WHERE followup_at IS NOT NULL;
CREATE UNIQUE INDEX tasks_escalation ON teams.tasks (escalation_run_id) WHERE escalation_run_id IS NOT NULL;

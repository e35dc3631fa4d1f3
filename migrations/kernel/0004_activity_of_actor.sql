-- Below admin everybody sees what they did themselves: a list of few entries out of very many.
CREATE INDEX activity_actor ON kernel.activity (tenant_id, actor_id, created_at DESC);

-- Set for a link that a team has made between its lead and a member: it goes with the membership.
ALTER TABLE agent_links.links ADD COLUMN team_id uuid;
CREATE INDEX links_of_team ON agent_links.links (team_id) WHERE team_id IS NOT NULL;

-- Let one person see no more of the open incident (R9). Others still do, and a fresh failure is an
-- incident of its own.
-- KEYS[9] dismissed
-- ARGV[5] incident   ARGV[6] e-mail address   ARGV[7] for how long, s
-- Replies {'unknown_account' | 'dismissed' | 'no_such_incident'}
--   'no_such_incident': it was resolved, or another has followed; nothing was changed

if redis.call('EXISTS', ACCOUNT) == 0 then return { 'unknown_account' } end
if redis.call('HGET', ACCOUNT, 'incident') ~= ARGV[5] then return { 'no_such_incident' } end
redis.call('SADD', KEYS[9], ARGV[6])
redis.call('EXPIRE', KEYS[9], ARGV[7])
return { 'dismissed' }

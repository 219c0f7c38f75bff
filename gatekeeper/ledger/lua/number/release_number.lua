-- Take a phone number away from its account.
-- KEYS[1] number
-- ARGV[1] now, ms   ARGV[2] the account it is taken from
-- Replies {'released' | 'not_assigned', the account that had it or has it}

local owner = redis.call('HGET', KEYS[1], 'account') or ''
if owner == '' or owner ~= ARGV[2] then return { 'not_assigned', owner } end
redis.call('HSET', KEYS[1], 'account', '', 'route', '', 'previous', owner,
  'changed_at_ms', ARGV[1])
return { 'released', owner }

-- Take a phone number away from its account.
-- KEYS[1] number
-- ARGV[1] now, ms   ARGV[2] the account it is taken from
-- Replies {'released' | 'not_assigned', the account that had it or has it}
-- Keeps that the account's log is yet to be told: until it was, a repetition is 'released' too.

local f = redis.call('HMGET', KEYS[1], 'account', 'previous', 'untold')
local owner = f[1] or ''
if owner == '' and f[2] == ARGV[2] and f[3] then return { 'released', ARGV[2] } end
if owner == '' or owner ~= ARGV[2] then return { 'not_assigned', owner } end
redis.call('HSET', KEYS[1], 'account', '', 'route', '', 'previous', owner,
  'changed_at_ms', ARGV[1], 'untold', '1')
return { 'released', owner }

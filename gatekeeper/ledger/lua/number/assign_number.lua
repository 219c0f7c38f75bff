-- Give a phone number to an account, or change where its calls go.
-- KEYS[1] number
-- ARGV[1] account id   ARGV[2] now, ms   ARGV[3] route or '' for the account's own
-- Replies {'assigned' | 'unchanged' | 'taken', the account that has it}
-- Keeps the account before, so that calls under way stay where they began.

local f = redis.call('HMGET', KEYS[1], 'account', 'route')
local owner = f[1] or ''
if owner ~= '' and owner ~= ARGV[1] then return { 'taken', owner } end
if owner == ARGV[1] and (f[2] or '') == ARGV[3] then return { 'unchanged', owner } end
redis.call('HSET', KEYS[1], 'account', ARGV[1], 'route', ARGV[3])
if owner == '' then redis.call('HSET', KEYS[1], 'changed_at_ms', ARGV[2]) end
return { 'assigned', ARGV[1] }

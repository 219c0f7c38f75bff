-- Give a phone number to an account, or change where its calls go.
-- KEYS[1] number
-- ARGV[1] account id   ARGV[2] now, ms   ARGV[3] route or '' for the account's own
-- ARGV[4] how long a released number rests before another account gets it, ms
-- Replies {'assigned' | 'unchanged' | 'taken', the account that has it} or {'resting', ms left}
-- Keeps the account before, so that calls under way stay where they began; and that the account's
-- log is yet to be told: until it was, a repetition is 'assigned' too.

local f = redis.call('HMGET', KEYS[1], 'account', 'route', 'previous', 'changed_at_ms',
  'untold')
local owner = f[1] or ''
if owner ~= '' and owner ~= ARGV[1] then return { 'taken', owner } end
local rests_ms = tonumber(f[4] or 0) + tonumber(ARGV[4]) - tonumber(ARGV[2])
if owner == '' and f[3] and f[3] ~= ARGV[1] and rests_ms > 0 then return { 'resting', rests_ms } end
if owner == ARGV[1] and (f[2] or '') == ARGV[3] and not f[5] then
  return { 'unchanged', owner }
end
redis.call('HSET', KEYS[1], 'account', ARGV[1], 'route', ARGV[3], 'untold', '1')
if owner == '' then redis.call('HSET', KEYS[1], 'changed_at_ms', ARGV[2]) end
return { 'assigned', ARGV[1] }

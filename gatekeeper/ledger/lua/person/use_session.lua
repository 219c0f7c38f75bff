-- Read the session that a request shows, and let it live on from now if somebody uses it.
-- KEYS[1] session
-- ARGV[1] now, ms   ARGV[2] how long it lives unused, ms   ARGV[3] how long it lives at most, ms
-- ARGV[4] "1" when this is a use of it, "0" when an open page asks by itself
-- Replies {} or {email, created_at_ms, user_agent, seen_at_ms, began_by}
-- Writes when it was last used. A session that was ended meanwhile is not made anew.

local f = redis.call('HMGET', KEYS[1], 'email', 'created_at_ms', 'user_agent', 'seen_at_ms',
  'began_by')
if not f[1] then return {} end
local left_ms = tonumber(f[2]) + tonumber(ARGV[3]) - tonumber(ARGV[1])
if left_ms <= 0 then
  redis.call('DEL', KEYS[1])
  return {}
end
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], 'seen_at_ms', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], math.min(left_ms, tonumber(ARGV[2])))
  f[4] = ARGV[1]
end
return f

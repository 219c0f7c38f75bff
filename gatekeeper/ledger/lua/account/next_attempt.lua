-- Number a new attempt of a charge, once it is certain that the last one charged nothing: Stripe
-- keeps an idempotency key's first answer, a 500 included.
-- KEYS[9] top-off
-- ARGV[5] top-off id   ARGV[6] the attempt that came to nothing
-- Replies {'unknown_topoff'} or {'attempt', the number now}. Only the first to say so counts.

local f = redis.call('HMGET', KEYS[9], 'state', 'attempt')
if f[1] ~= 'charging' then return { 'unknown_topoff' } end
if f[2] == ARGV[6] then
  return { 'attempt', redis.call('HINCRBY', KEYS[9], 'attempt', 1) }
end
return { 'attempt', tonumber(f[2]) }

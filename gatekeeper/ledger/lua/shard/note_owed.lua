-- Write down work that is due now, because something outside said that there is news. A task that is
-- owed already is due again: a job that is under way may have looked before the news.
-- KEYS[1] owed   KEYS[2] tries
-- ARGV[1] task   ARGV[2] now, ms   ARGV[3] wake channel
-- Replies since when it is owed, ms: later than it was before, so `strike_owed` tells one from the
-- other.

local kept = redis.call('HGET', KEYS[2], ARGV[1]) or ' -1'
local since_ms = math.max(tonumber(ARGV[2]), tonumber(string.match(kept, '[%d-]+$')) + 1)
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], string.format('0 %.0f', since_ms))
redis.call('PUBLISH', ARGV[3], ARGV[2])
return since_ms

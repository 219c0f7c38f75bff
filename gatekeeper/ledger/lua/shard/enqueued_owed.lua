-- Note that a claimed task was enqueued, and when to come back should it stay owed (back-off).
-- KEYS[1] owed   KEYS[2] tries
-- ARGV[1] task   ARGV[2] when it is next due, ms   ARGV[3] how often it has been enqueued now
-- Replies 1, or 0 when the task was struck off meanwhile and nothing was written.

local due_ms = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not due_ms then return 0 end
redis.call('ZADD', KEYS[1], 'XX', ARGV[2], ARGV[1])
local rest = string.match(redis.call('HGET', KEYS[2], ARGV[1]) or '', ' .+$') or ' ' .. due_ms
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3] .. rest)
return 1

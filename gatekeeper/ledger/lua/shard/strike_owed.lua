-- Strike off a task that is done.
-- KEYS[1] owed   KEYS[2] tries
-- ARGV[1] task
-- Replies 1, or 0 when it was not owed.

redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])

-- Write down that a person asked for a link to sign in by, and owe the e-mail with it.
-- KEYS[1] owed   KEYS[2] tries   KEYS[3] sign-in
-- ARGV[1] task   ARGV[2] now, ms   ARGV[3] wake channel   ARGV[4] e-mail address
-- ARGV[5] the path to go on to   ARGV[6] how long the link lives, s
-- Replies 1. The id of a link is new each time.

redis.call('HSET', KEYS[3], 'email', ARGV[4], 'next', ARGV[5], 'at_ms', ARGV[2])
redis.call('EXPIRE', KEYS[3], ARGV[6])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], '0 ' .. ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[2])
return 1

-- Note that an e-mail was sent to somebody, so that its repetition is not.
-- KEYS[1] told
-- ARGV[1] e-mail address   ARGV[2] how long it is kept, s
-- Replies 1, or 0 when that was noted before.

local noted = redis.call('SADD', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return noted

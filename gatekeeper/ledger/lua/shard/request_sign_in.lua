-- Write down that somebody asked for a link to sign in by, or is sent one with an invitation, and owe
-- the e-mail with it.
-- KEYS[1] owed   KEYS[2] tries   KEYS[3] sign-in
-- ARGV[1] task   ARGV[2] now, ms   ARGV[3] wake channel   ARGV[4] e-mail address
-- ARGV[5] the path to go on to   ARGV[6] how long the link lives, s
-- ARGV[7] the account invited to, or ""   ARGV[8] who invites, or ""
-- Replies 1. The id of a link is new each time.

redis.call('HSET', KEYS[3], 'email', ARGV[4], 'next', ARGV[5], 'at_ms', ARGV[2])
if ARGV[7] ~= '' then
  redis.call('HSET', KEYS[3], 'invited_to', ARGV[7], 'invited_by', ARGV[8])
end
redis.call('EXPIRE', KEYS[3], ARGV[6])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], '0 ' .. ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[2])
return 1

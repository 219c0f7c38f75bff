-- Change what an account is called, where its calls go, or whether it is suspended.
-- ARGV[5..] pairs of field and value. Fields of the account's hash: suspended ('1' or ''),
--   price_minor. Fields of the profile: name, email, timezone, route, drop_message.
--   An empty value removes the field.
-- Replies {'unknown_account' | 'updated'}
-- A lifted suspension looks at the threshold again.

local account = read_account()
if not account then return { 'unknown_account' } end
local hash_of = { suspended = ACCOUNT, price_minor = ACCOUNT, name = PROFILE, email = PROFILE,
  timezone = PROFILE, route = PROFILE, drop_message = PROFILE }
for i = 5, #ARGV, 2 do
  if not hash_of[ARGV[i]] then return redis.error_reply('update_account: no such field') end
end
for i = 5, #ARGV, 2 do
  local hash, field, value = hash_of[ARGV[i]], ARGV[i], ARGV[i + 1]
  if value == '' then
    redis.call('HDEL', hash, field)
  else
    redis.call('HSET', hash, field, value)
  end
end
local own = redis.call('HMGET', PROFILE, 'route', 'drop_message')
if own[1] or own[2] then
  redis.call('HSET', ACCOUNT, 'custom', '1')
else
  redis.call('HDEL', ACCOUNT, 'custom')
end
if account.suspended then look(read_account()) end
return { 'updated' }

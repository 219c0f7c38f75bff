-- Change what an account is called, where its calls go, or whether it is suspended.
-- KEYS[9] route   KEYS[10] drop message
-- ARGV[5..] pairs of field and value. Fields of the account's hash: suspended ('1' or ''),
--   price_minor. Fields of the profile: name, email, timezone.
--   And route, drop_message. An empty value removes what was there.
-- Replies {'unknown_account' | 'updated'}
-- A lifted suspension looks at the threshold again.

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
local hash_of = { suspended = ACCOUNT, price_minor = ACCOUNT, name = PROFILE, email = PROFILE,
  timezone = PROFILE }
local text_of = { route = KEYS[9], drop_message = KEYS[10] }
for i = 5, #ARGV, 2 do
  if not hash_of[ARGV[i]] and not text_of[ARGV[i]] then
    return redis.error_reply('update_account: no such field')
  end
end
for i = 5, #ARGV, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  local hash, text = hash_of[field], text_of[field]
  if hash and value ~= '' then
    redis.call('HSET', hash, field, value)
  elseif hash then
    redis.call('HDEL', hash, field)
  elseif value ~= '' then
    redis.call('SET', text, value)
  else
    redis.call('DEL', text)
  end
end
if redis.call('EXISTS', KEYS[9], KEYS[10]) > 0 then
  redis.call('HSET', ACCOUNT, 'custom', '1')
else
  redis.call('HDEL', ACCOUNT, 'custom')
end
if account.suspended then look(read_account()) end
return { 'updated' }

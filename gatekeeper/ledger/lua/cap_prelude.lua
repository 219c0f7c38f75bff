-- What concerns the spending cap, beyond prelude.lua, which stands before this: for the verbs that
-- know what a credit costs, and those that begin periods. It is a file of its own because every call
-- would pay for functions that it does not use.

-- Whether a charge of this many minor units would pass the cap of the period.
local function passes_cap(amount_minor)
  local f = redis.call('HMGET', ACCOUNT, 'cap_minor', 'spent_minor')
  return f[1] and tonumber(f[2] or 0) + amount_minor > tonumber(f[1])
end

-- Look whether the cap lets another top-off begin, at the account's own price of a credit or the
-- default one. Once none does, it is told: in the log each time, by e-mail once a period, and again
-- for a higher cap. Nothing is told while top-offs are off.
local function look_at_cap(account, default_price, currency)
  local f = redis.call('HMGET', ACCOUNT, 'cap_minor', 'spent_minor', 'cap_told', 'price_minor',
    'cycle_end_ms')
  local spent = f[2] or '0'
  local amount = f[1] and account.topoff_amount * tonumber(f[4] or default_price)
  local was_capped = account.capped
  account.capped = account.topoff_on and f[1] and tonumber(spent) + amount > tonumber(f[1])
  if account.capped == was_capped then return end
  if not account.capped then
    redis.call('HDEL', ACCOUNT, 'capped')
    return
  end
  redis.call('HSET', ACCOUNT, 'capped', '1')
  append(account, 'topoff_capped', 0, 0, ID, 'spending_cap', '',
    spent .. ' ' .. f[1] .. ' ' .. currency)
  if tonumber(f[1]) > tonumber(f[3] or 0) then
    redis.call('HSET', ACCOUNT, 'cap_told', f[1])
    notify('spending_cap_reached', 'cap_minor', f[1], 'spent_minor', spent, 'amount_minor', amount,
      'currency', currency, 'resumes_at_ms', f[5], 'balance', account.balance)
  end
end

-- Count from now on by the period that begins at `start_ms`: of an account without a period of its
-- own. What was charged before that counts no more.
local function count_spending_from(start_ms)
  local f = redis.call('HMGET', ACCOUNT, 'spent_start_ms', 'cycle_start_ms')
  if tonumber(start_ms) > tonumber(f[1] or f[2]) then
    redis.call('HSET', ACCOUNT, 'spent_start_ms', start_ms)
    redis.call('HDEL', ACCOUNT, 'spent_minor', 'cap_told')
  end
end

-- Let an account that had no period enter one.
local function enter_period(start_ms)
  count_spending_from(start_ms)
  redis.call('HDEL', ACCOUNT, 'spent_start_ms')
  if tonumber(start_ms) > tonumber(redis.call('HGET', ACCOUNT, 'cycle_start_ms')) then
    redis.call('HSET', ACCOUNT, 'cycle_start_ms', start_ms)
  end
end

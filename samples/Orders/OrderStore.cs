namespace Orders;

/// <summary>Orders in memory, in the order of creation. Bounded: a sample that runs for weeks must not grow for weeks.</summary>
internal sealed class OrderStore
{
    private const int SeedCount = 120;
    private const int MaxOrders = 10_000;

    private readonly Lock _gate = new();
    private readonly SortedList<int, Order> _orders = [];
    private int _last;

    /// <summary>The same orders on every instance and at every start, so that any replica answers alike.</summary>
    public static OrderStore Seeded()
    {
        string[] customers = ["Northwind Traders", "Contoso", "Fabrikam", "Adventure Works", "Tailspin Toys"];
        (string Sku, decimal Price)[] articles = [("BOLT-M6-100", 12.40m), ("HINGE-90", 3.75m), ("PANEL-OAK", 48.00m), ("GLUE-1L", 9.95m)];
        var store = new OrderStore();
        var start = new DateTimeOffset(2025, 1, 6, 8, 0, 0, TimeSpan.Zero);
        for (var i = 0; i < SeedCount; i++)
        {
            var (sku, price) = articles[i % articles.Length];
            store.Add(customers[i % customers.Length], "EUR", [new OrderLine(sku, 1 + (i % 7), price)], start.AddHours(i * 5));
        }

        return store;
    }

    public Order Add(string customer, string currency, IReadOnlyList<OrderLine> lines, DateTimeOffset now)
    {
        lock (_gate)
        {
            var number = ++_last;
            var order = new Order(OrderId.Format(number), customer, lines, lines.Sum(l => l.Quantity * l.UnitPrice), currency, now);
            _orders.Add(number, order);
            if (_orders.Count > MaxOrders)
            {
                _orders.RemoveAt(0);
            }

            return order;
        }
    }

    public Order? FindOrNull(int number)
    {
        lock (_gate)
        {
            return _orders.GetValueOrDefault(number);
        }
    }

    /// <summary>Up to <paramref name="limit"/> orders with a number above <paramref name="after"/>, and whether there are more.</summary>
    public (IReadOnlyList<Order> Items, bool More) Page(int after, int limit)
    {
        lock (_gate)
        {
            var (low, high) = (0, _orders.Count);
            while (low < high)
            {
                var middle = (low + high) / 2;
                (low, high) = _orders.Keys[middle] <= after ? (middle + 1, high) : (low, middle);
            }

            var items = new List<Order>(Math.Min(limit, _orders.Count - low));
            for (var i = low; i < _orders.Count && items.Count < limit; i++)
            {
                items.Add(_orders.Values[i]);
            }

            return (items, low + items.Count < _orders.Count);
        }
    }
}

/// <summary><c>ord_000042</c> and back.</summary>
internal static class OrderId
{
    private const string Prefix = "ord_";

    public static string Format(int number) => $"{Prefix}{number:D6}";

    public static bool TryParse(string? text, out int number)
    {
        number = 0;
        return text is { Length: >= 10 and <= 14 } && text.StartsWith(Prefix, StringComparison.Ordinal)
            && int.TryParse(text.AsSpan(Prefix.Length), System.Globalization.NumberStyles.None, null, out number)
            && text == Format(number);
    }
}

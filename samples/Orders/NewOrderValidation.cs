namespace Orders;

/// <summary>Finds everything that is wrong with a new order, so that the caller mends it once.</summary>
internal static class NewOrderValidation
{
    /// <returns>Messages by the JSON path of the field, for example <c>lines[0].quantity</c>; empty when all is well.</returns>
    public static Dictionary<string, string[]> Check(NewOrder order)
    {
        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        if (string.IsNullOrWhiteSpace(order.Customer) || order.Customer.Length > 100)
        {
            errors["customer"] = ["Required, 1 to 100 characters."];
        }

        if (order.Currency is { } currency && (currency.Length != 3 || !currency.All(char.IsAsciiLetterUpper)))
        {
            errors["currency"] = ["An ISO 4217 code, for example EUR."];
        }

        if (order.Lines is not { Count: >= 1 and <= 50 })
        {
            errors["lines"] = ["Required, 1 to 50 lines."];
            return errors;
        }

        for (var i = 0; i < order.Lines.Count; i++)
        {
            if (order.Lines[i] is not { } line)
            {
                errors[$"lines[{i}]"] = ["Must not be null."];
                continue;
            }

            if (string.IsNullOrWhiteSpace(line.Sku) || line.Sku.Length > 40)
            {
                errors[$"lines[{i}].sku"] = ["Required, 1 to 40 characters."];
            }

            if (line.Quantity is < 1 or > 1000)
            {
                errors[$"lines[{i}].quantity"] = ["A number from 1 to 1000."];
            }

            if (line.UnitPrice is < 0 or > 1_000_000 || line.UnitPrice.Scale > 2)
            {
                errors[$"lines[{i}].unitPrice"] = ["A number from 0 to 1000000 with at most two decimal places."];
            }
        }

        return errors;
    }
}

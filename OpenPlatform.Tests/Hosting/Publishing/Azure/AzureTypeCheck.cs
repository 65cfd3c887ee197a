using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Azure.Bicep.Types.Az;
using Azure.Bicep.Types.Concrete;
using Azure.Bicep.Types.Index;

namespace OpenPlatform.Tests.Hosting.Publishing.Azure;

/// <summary>
/// A resource against the type that Azure publishes for its API version, stricter than the compiler: a value of an enumeration must be one of it, and lengths, bounds and
/// patterns count.
/// </summary>
internal static class AzureTypeCheck
{
    private static readonly AzTypeLoader Loader = new();
    private static readonly TypeIndex Index = Loader.LoadTypeIndex();

    /// <returns>What is wrong; nothing where all is well.</returns>
    public static IReadOnlyList<string> Problems(JsonObject resource)
    {
        var name = $"{resource["type"]}@{resource["apiVersion"]}";
        if (!Index.Resources.TryGetValue(name, out var reference))
        {
            return [$"{name}: there is no such resource"];
        }

        var body = resource.DeepClone().AsObject();
        if ((string)body["name"]! is var full && !full.StartsWith('['))
        {
            body["name"] = full.Split('/')[^1];
        }

        // What the deployment says about a resource, not the resource.
        foreach (var known in (string[])["id", "type", "apiVersion", "dependsOn", "scope", "condition"])
        {
            body.Remove(known);
        }

        return [.. Check(Loader.LoadResourceType(reference).Body.Type, body, name)];
    }

    private static IEnumerable<string> Check(TypeBase type, JsonNode? value, string path)
    {
        // What only Azure can evaluate has no value yet.
        if (value is JsonValue expression && expression.TryGetValue<string>(out var code) && code.StartsWith('[') && code.EndsWith(']'))
        {
            return [];
        }

        return type switch
        {
            ObjectType o => value is JsonObject map ? Object(o.Properties, o.AdditionalProperties?.Type, map, path) : [$"{path}: an object is wanted"],
            DiscriminatedObjectType d => value is JsonObject map
                ? d.Elements.TryGetValue((string?)map[d.Discriminator] ?? "", out var element)
                    ? Object(((ObjectType)element.Type).Properties.Concat(d.BaseProperties).DistinctBy(static p => p.Key).ToDictionary(), null, map, path)
                    : [$"{path}.{d.Discriminator}: one of {string.Join(", ", d.Elements.Keys)}"]
                : [$"{path}: an object is wanted"],
            ArrayType a => value is JsonArray list ? list.SelectMany((item, i) => Check(a.ItemType.Type, item, $"{path}[{i}]")) : [$"{path}: a list is wanted"],
            UnionType u => Union(u, value, path),
            StringLiteralType s => Is(value?.GetValueKind() == JsonValueKind.String && (string)value! == s.Value, $"{path}: '{s.Value}' is wanted"),
            StringType s => Text(s, value, path),
            IntegerType i => Is(value?.GetValueKind() == JsonValueKind.Number && value.GetValue<decimal>() is var number && (i.MinValue ?? long.MinValue) <= number && number <= (i.MaxValue ?? long.MaxValue),
                $"{path}: a number is wanted ({i.MinValue}..{i.MaxValue})"),
            BooleanType => Is(value?.GetValueKind() is JsonValueKind.True or JsonValueKind.False, $"{path}: true or false is wanted"),
            AnyType => [],
            _ => [$"{path}: {type.GetType().Name} is not understood"],
        };
    }

    private static IEnumerable<string> Object(IEnumerable<KeyValuePair<string, ObjectTypeProperty>> properties, TypeBase? others, JsonObject map, string path)
    {
        var known = properties.ToDictionary();
        foreach (var (key, value) in map)
        {
            if (known.TryGetValue(key, out var property))
            {
                if (property.Flags.HasFlag(ObjectTypePropertyFlags.ReadOnly))
                {
                    yield return $"{path}.{key}: only Azure sets it";
                }

                foreach (var problem in value is null && !property.Flags.HasFlag(ObjectTypePropertyFlags.Required) ? [] : Check(property.Type.Type, value, $"{path}.{key}"))
                {
                    yield return problem;
                }
            }
            else if (others is null)
            {
                yield return $"{path}.{key}: there is no such property";
            }
            else
            {
                foreach (var problem in Check(others, value, $"{path}.{key}"))
                {
                    yield return problem;
                }
            }
        }

        foreach (var (key, property) in known.Where(p => p.Value.Flags.HasFlag(ObjectTypePropertyFlags.Required) && !p.Value.Flags.HasFlag(ObjectTypePropertyFlags.ReadOnly) && !map.ContainsKey(p.Key)))
        {
            if (key is not ("type" or "apiVersion"))
            {
                yield return $"{path}.{key}: is missing";
            }
        }
    }

    /// <summary>"Open" enumerations also list any text, for versions to come; what is written is to be one that is known.</summary>
    private static IEnumerable<string> Union(UnionType union, JsonNode? value, string path)
    {
        var elements = union.Elements.Select(static e => e.Type).ToArray();
        var wanted = elements.Any(static e => e is StringLiteralType) ? [.. elements.Where(static e => e is not StringType)] : elements;
        return Is(wanted.Any(e => !Check(e, value, path).Any()), $"{path}: '{value}' is none of {string.Join(", ", wanted.OfType<StringLiteralType>().Select(static l => l.Value))}");
    }

    private static IEnumerable<string> Text(StringType type, JsonNode? value, string path) => value?.GetValueKind() != JsonValueKind.String
        ? [$"{path}: a text is wanted"]
        : Is((type.MinLength ?? 0) <= ((string)value!).Length && ((string)value!).Length <= (type.MaxLength ?? long.MaxValue) && (type.Pattern is null || Regex.IsMatch((string)value!, type.Pattern, RegexOptions.None, TimeSpan.FromSeconds(1))),
            string.Create(CultureInfo.InvariantCulture, $"{path}: '{value}' is not {type.MinLength}..{type.MaxLength} characters of {type.Pattern}"));

    private static string[] Is(bool good, string otherwise) => good ? [] : [otherwise];
}

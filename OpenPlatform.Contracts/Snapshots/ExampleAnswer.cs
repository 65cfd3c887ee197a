using System.Text;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>What an operation may answer, for example as its OpenAPI document says: the answer of the gateway itself where <c>mock</c> is on.</summary>
/// <param name="Status">200 to 599.</param>
/// <param name="ContentType">Media type of <paramref name="Body"/>; null: no body.</param>
/// <param name="Body">At most 65,536 bytes of UTF-8; null: none, as for 204.</param>
public sealed record ExampleAnswer(int Status, string? ContentType = null, string? Body = null);

internal static class ExampleAnswerValidator
{
    private const int MostBytes = 64 << 10;

    public static void Validate(OperationPolicies? operation, string at, Action<string, string> problem)
    {
        if (operation is { Mock: true, Example: null })
        {
            problem($"{at}/mock", "needs an example to answer with");
        }

        if (operation?.Example is not { } example)
        {
            return;
        }

        if (example.Status is < 200 or > 599)
        {
            problem($"{at}/example/status", "must be 200 to 599");
        }

        if (example.Body is not null && example.Status is 204 or 205 or 304)
        {
            problem($"{at}/example/body", $"must not be there: {example.Status} has no content");
        }
        else if (example.Body is not null && (example.ContentType is null || !DegradationPolicyValidator.IsMediaType(example.ContentType)))
        {
            problem($"{at}/example/contentType", "must be a media type such as application/json");
        }
        else if (example.Body is null && example.ContentType is not null)
        {
            problem($"{at}/example/contentType", "belongs to a body");
        }

        if (example.Body is { } body && Encoding.UTF8.GetByteCount(body) > MostBytes)
        {
            problem($"{at}/example/body", $"must be at most {MostBytes:N0} bytes");
        }
    }
}

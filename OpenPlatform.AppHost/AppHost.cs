Console.WriteLine("OpenPlatform.AppHost");
